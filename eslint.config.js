import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist', 'coverage'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  {
    // The product runs in front of any Connect-style host, so it must not need one of them.
    files: ['lib/**/*.ts'],
    rules: {
      'no-restricted-imports': ['error', { paths: ['express', 'connect', 'sharp', '@aws-sdk/client-s3'] }],
    },
  },
  {
    // The rooms that know the client of S3, which is there only for those who use it.
    files: ['lib/s3*.ts'],
    rules: { 'no-restricted-imports': ['error', { paths: ['express', 'connect', 'sharp'] }] },
  },
  {
    // The one room that knows the image library.
    files: ['lib/inspect.ts'],
    rules: { 'no-restricted-imports': ['error', { paths: ['express', 'connect', '@aws-sdk/client-s3'] }] },
  },
  {
    files: ['demo/page/**/*.js'],
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'no-unused-vars': 'error',
      'no-var': 'error',
      'prefer-const': 'error',
    },
  },
  {
    files: ['bench/**/*.ts', 'demo/**/*.ts', 'spec/**/*.ts'],
    rules: { 'no-console': 'off', '@typescript-eslint/no-non-null-assertion': 'off' },
  },
);
