// For `npm run test:browser`: the demo's page in a browser.

/** @type {import('jest').Config} */
export default {
  rootDir: '../..',
  preset: '<rootDir>/spec/support/jest-preset.js',
  roots: ['<rootDir>/spec/browser'],
  testMatch: ['**/*.browser.ts'],
};
