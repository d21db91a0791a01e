// For `npm run test:faults`: kills, full disks, failing system calls, attacks and load.

/** @type {import('jest').Config} */
export default {
  rootDir: '../..',
  preset: '<rootDir>/spec/support/jest-preset.js',
  roots: ['<rootDir>/spec/faults'],
  testMatch: ['**/*.faults.ts'],
  // The checks measure whole processes: two at a time would measure each other.
  maxWorkers: 1,
  testTimeout: 600_000 * Math.max(1, Number(process.env['FAULTS_ROUNDS'] ?? 1)),
};
