/** @jest-config-loader esbuild-register */
// For `npm run test:browser`: the demo's page in a browser.
import type { Config } from 'jest';

const config: Config = {
  rootDir: '../..',
  preset: '<rootDir>/spec/support/jest-preset.js',
  roots: ['<rootDir>/spec/browser'],
  testMatch: ['**/*.browser.ts'],
};

export default config;
