// For `npm run test:s3`: saves to the S3 gateway of a real Ceph, which is started for it.

/** @type {import('jest').Config} */
export default {
  rootDir: '../../..',
  preset: '<rootDir>/spec/support/jest-preset.js',
  roots: ['<rootDir>/spec/integration/s3'],
  testMatch: ['**/*.s3.ts'],
  globalSetup: '<rootDir>/spec/integration/s3/global-setup.ts',
  globalTeardown: '<rootDir>/spec/integration/s3/global-teardown.ts',
  collectCoverage: true,
  coverageDirectory: 'coverage/s3',
  coverageReporters: ['text'],
  collectCoverageFrom: ['lib/stores/s3/**/*.ts'],
  coverageThreshold: { global: { branches: 85, functions: 95, lines: 95, statements: 95 } },
  // One of the files kills the gateway.
  maxWorkers: 1,
};
