/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';

const config: Config = {
  testEnvironment: 'node',
  roots: ['<rootDir>/spec'],
  testMatch: ['**/*.spec.ts'],
  transform: { '\\.ts$': ['@swc/jest', { jsc: { target: 'es2022' } }] },
  // The sources name their neighbours by what they will be called once built.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  // What speaks to a bucket is covered by spec/s3, which has thresholds of its own.
  collectCoverageFrom: ['lib/**/*.ts', '!lib/s3.ts', '!lib/stores/s3/**'],
  // A busy machine must not fail a test: only a test that hangs fails by time.
  testTimeout: 60_000,
  coverageProvider: 'v8',
  coverageThreshold: { global: { branches: 95, functions: 95, lines: 95, statements: 95 } },
};

export default config;
