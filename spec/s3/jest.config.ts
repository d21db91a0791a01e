/** @jest-config-loader esbuild-register */
// For `npm run test:s3`: saves to the S3 gateway of a real Ceph, which is started for it.
import type { Config } from 'jest';

const config: Config = {
  rootDir: '../..',
  testEnvironment: 'node',
  roots: ['<rootDir>/spec/s3'],
  testMatch: ['**/*.s3.ts'],
  globalSetup: '<rootDir>/spec/s3/global-setup.ts',
  globalTeardown: '<rootDir>/spec/s3/global-teardown.ts',
  transform: { '\\.ts$': ['@swc/jest', { jsc: { target: 'es2022' } }] },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  collectCoverage: true,
  coverageDirectory: 'coverage/s3',
  coverageReporters: ['text'],
  collectCoverageFrom: ['lib/stores/s3/**/*.ts'],
  coverageProvider: 'v8',
  coverageThreshold: { global: { branches: 85, functions: 95, lines: 95, statements: 95 } },
  // One of the files kills the gateway.
  maxWorkers: 1,
  testTimeout: 120_000,
};

export default config;
