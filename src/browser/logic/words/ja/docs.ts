import type { DOCS as EN } from '../en/docs.js';

/** Texts of the page of the API, in Japanese. */
export const DOCS: typeof EN = {
  api: 'API リファレンス',
  apiExplained:
    'このサーバーのすべてのアドレスと、リクエスト・レスポンスの形式です。プログラムからはリクエストごとにキーを送信します。各項目の説明は英語です。',
  asJson: 'OpenAPI ドキュメント（JSON）',
  asYaml: 'OpenAPI ドキュメント（YAML）',
  searchApi: 'API を検索',
  operationsFound: (shown: number, total: number) => `${total} 件中 ${shown} 件`,
  noOperations: '見つかりません',
  openToAll: 'キーは不要です。',
  apiParameters: 'パラメーター',
  apiBody: 'リクエスト本文',
  apiAnswers: 'レスポンス',
  apiExample: '例',
  apiInShell: 'コマンド例',
  copyCommand: 'コピー',
  commandCopied: 'コピーしました',
  apiRequired: '必須',
  apiErrors: 'エラー',
};
