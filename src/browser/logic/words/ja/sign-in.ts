import type { SIGN_IN as EN } from '../en/sign-in.js';

/** Texts of `/signin`, in Japanese. */
export const SIGN_IN: typeof EN = {
  signIn: 'サインイン',
  signingIn: 'サインインしています…',
  signInExplained:
    'このサーバーの利用にはキーが必要です。サーバーで `npx kaomon keys add` を実行するとキーを作成でき、`npx kaomon keys link` を実行するとサインイン用のリンクが表示されます。',
  key: 'キー',
  signOut: 'サインアウト',
  signedInAs: (name) => `${name} としてサインインしています。`,
  signInInstead: (name) =>
    `現在 ${name} としてサインインしています。開いたリンクでサインインし直すと、別の利用者になることがあり、現在のセッションは終了します。`,
  stayAsIAm: '現在のまま続ける',
  replaceSession: 'リンクでサインインする',
  noKeyNeeded: 'このサーバーの利用にキーは必要ありません。',
};
