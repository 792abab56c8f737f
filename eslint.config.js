import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import regexp from 'eslint-plugin-regexp';
import { globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

const SETTINGS_ARE_READ_IN_ONE_PLACE =
  'Settings are read in src/settings/config.ts alone; take typed values from there.';

const NO_DEFAULT_EXPORTS = {
  selector: 'ExportDefaultDeclaration',
  message: 'Name what you export: no default exports.',
};
const FOLDERS_ARE_MADE_BY_US = {
  selector: "CallExpression[callee.name=/^mkdir(Sync)?$/] Property[key.name='recursive']",
  message:
    "Make folders by makeFolder of src/platform/files/durable.ts: Node's own never comes back from /proc/x.",
};
const ABORTS_ARE_HEARD_LATE_TOO = {
  selector: "CallExpression[callee.property.name='addEventListener'] > Literal[value='abort']",
  message: 'Listen by onAbort of src/platform/abort.ts: a listener alone never hears of an abort before it.',
};
const PATTERNS_ARE_LITERALS = {
  selector: "Property[key.name='pattern'] > :matches(Literal[value.length>0], TemplateLiteral)",
  message: 'Write the pattern as /.../.source: the rules about time see it in a literal only.',
};

// ESLint asks for its configuration as the default export; nothing of ours has one.
export default tseslint.config(
  globalIgnores(['dist', 'public/assets', 'models', 'embeddings', 'cache']),
  js.configs.recommended,
  {
    // One request must not hold the event loop: what meets input takes time in proportion to its length.
    files: ['src/**/*.ts', '{scripts,native}/**/*.mjs'],
    plugins: { regexp },
    rules: {
      'regexp/no-super-linear-backtracking': ['error', { report: 'potential' }],
      'regexp/no-super-linear-move': [
        'error',
        { report: 'potential', ignoreSticky: false, ignorePartial: false },
      ],
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: {
        project: ['./tsconfig.json', './src/browser/tsconfig.json', './test/browser/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      'max-lines': ['error', { max: 320, skipBlankLines: true, skipComments: true }],
      'no-restricted-syntax': ['error', NO_DEFAULT_EXPORTS],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/consistent-type-definitions': ['error', 'interface'],
      // A third of the time that linting took, for enums and assigned classes, of which there are none here.
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-restricted-syntax': [
        'error',
        NO_DEFAULT_EXPORTS,
        PATTERNS_ARE_LITERALS,
        FOLDERS_ARE_MADE_BY_US,
        ABORTS_ARE_HEARD_LATE_TOO,
      ],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/settings/config.ts', 'src/browser/**'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: SETTINGS_ARE_READ_IN_ONE_PLACE },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // node:test returns promises that the runner itself awaits.
      '@typescript-eslint/no-floating-promises': 'off',
      'max-lines': 'off',
    },
  },
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: {
      globals: {
        AbortController: 'readonly',
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        Buffer: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
        AbortSignal: 'readonly',
        fetch: 'readonly',
      },
    },
  },
  prettier,
);
