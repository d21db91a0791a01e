/** @jest-config-loader esbuild-register */
// For `npm run test:faults`: the suite that breaks things, one file at a time, apart from the specs of `npm test`.
import type { Config } from 'jest';

const config: Config = {
  rootDir: '../..',
  testEnvironment: 'node',
  roots: ['<rootDir>/spec/faults'],
  testMatch: ['**/*.faults.ts'],
  transform: { '\\.ts$': ['@swc/jest', { jsc: { target: 'es2022' } }] },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  // The checks measure whole processes: two at a time would measure each other.
  maxWorkers: 1,
  testTimeout: 600_000 * Math.max(1, Number(process.env['FAULTS_ROUNDS'] ?? 1)),
};

export default config;
