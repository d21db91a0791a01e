// For `npm test`: the specs that need nothing but Node.

/** @type {import('jest').Config} */
export default {
  preset: '<rootDir>/spec/support/jest-preset.js',
  roots: ['<rootDir>/spec/unit', '<rootDir>/spec/http', '<rootDir>/spec/docs'],
  testMatch: ['**/*.spec.ts'],
  // By default, Jest leaves a core free: on two cores it would run one file after the other.
  maxWorkers: '100%',
  // spec/integration/s3 covers the code for buckets and has its own thresholds.
  collectCoverageFrom: ['lib/**/*.ts', '!lib/s3.ts', '!lib/stores/s3/**'],
  coverageThreshold: { global: { branches: 95, functions: 95, lines: 95, statements: 95 } },
};
