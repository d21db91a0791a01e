// For `npm run test:integration`: the packed package, other people's hosts and renderers, the batch client, the recipes and the
// demo.

/** @type {import('jest').Config} */
export default {
  rootDir: '../..',
  preset: '<rootDir>/spec/support/jest-preset.js',
  roots: ['<rootDir>/spec/integration'],
  testMatch: ['**/*.spec.ts'],
};
