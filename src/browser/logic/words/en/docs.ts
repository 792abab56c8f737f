/** Texts of the page of the API, in English. */
export const DOCS = {
  api: 'API',
  apiExplained:
    'Every address of this server, with what it takes and what it answers. Programs send a key with each request.',
  asJson: 'OpenAPI document (JSON)',
  asYaml: 'OpenAPI document (YAML)',
  searchApi: 'Search the API',
  operationsFound: (shown: number, total: number) => `${shown} of ${total}`,
  noOperations: 'Nothing found',
  openToAll: 'No key needed.',
  apiParameters: 'Parameters',
  apiBody: 'Body',
  apiAnswers: 'Answers',
  apiExample: 'Example',
  apiInShell: 'In a shell',
  copyCommand: 'Copy',
  commandCopied: 'Copied',
  apiRequired: 'required',
  apiErrors: 'Errors',
};
