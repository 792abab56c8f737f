import type { SERVER as EN } from '../en/server.js';

/** Texts of the connection to the server, in Japanese. */
export const SERVER: typeof EN = {
  serverBusyTitle: 'サーバーが混み合っています',
  serverBusy: '処理能力を超える数の画像が届いています。しばらくすると自動的に再開します。',
  serverGoneTitle: 'サーバーが応答しません',
  serverGone: '再起動中の可能性があります。復旧すると自動的に再開します。',
  serverBack: 'サーバーが復旧しました。',
};
