// The shared jest configuration. Each configuration adds its folders.

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  transform: { '\\.ts$': ['@swc/jest', { jsc: { target: 'es2022' } }] },
  globalSetup: '<rootDir>/spec/support/package-build.ts',
  moduleNameMapper: {
    '^\\./program\\.js$': '<rootDir>/spec/support/decoder-program.ts',
    // The sources import their neighbours by the names of the built files.
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  coverageProvider: 'v8',
  // A slow machine must not fail a test: only a test that hangs reaches this limit.
  testTimeout: 300_000,
};
