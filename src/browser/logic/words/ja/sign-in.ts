import type { SIGN_IN as EN } from '../en/sign-in.js';

/** Texts of `/signin`, in Japanese. */
export const SIGN_IN: typeof EN = {
  signIn: 'サインイン',
  signingIn: 'サインインしています…',
  signInExplained:
    'このサーバーの利用にはキーが必要です。サーバーの管理者から、キーまたはサインイン用のリンクを受け取ってください。サーバー上で `npx kaomon keys link` を実行すると、リンクが表示されます。',
  key: 'キー',
  signOut: 'サインアウト',
  showKey: 'キーを表示',
  keyUnknown: 'このキーは使えません。入力ミスがあるか、無効にされたキーです。',
  linkUsed: 'このリンクは使用済みか、期限が切れています。新しいリンクを受け取ってください。',
  keyCut: 'キーの一部が欠けているか、余分な文字があります。キーは 58 文字です。',
  notAKey: 'キーではありません。キーは「kao_」で始まります。',
  tooManyKeys: (minutes) => `誤ったキーが続けて入力されました。${minutes} 分後にもう一度お試しください。`,
  signedOut: 'サインアウトしました。このブラウザーに表示内容は残っていません。',
  signedInTitle: 'サインイン中',
  goOn: '続ける',
  useAnotherKey: '別のキーを使う',
  signedInAs: (name) => `${name} としてサインインしています。`,
  signInInstead: (name) =>
    `現在 ${name} としてサインインしています。開いたリンクでサインインし直すと、別の利用者になることがあり、現在のセッションは終了します。`,
  stayAsIAm: '現在のまま続ける',
  replaceSession: 'リンクでサインイン',
  noKeyNeeded: 'このサーバーの利用にキーは必要ありません。',
};
