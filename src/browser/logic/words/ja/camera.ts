import type { CAMERA as EN } from '../en/camera.js';

/** Texts of the camera, in Japanese. */
export const CAMERA: typeof EN = {
  camera: 'カメラ',
  frontCamera: '前面カメラ',
  backCamera: '背面カメラ',
  cameraNumber: (n) => `カメラ ${n}`,
  cameraRefusedTitle: 'カメラの使用が許可されていません',
  cameraRefused: 'アドレスバーのカメラまたは鍵のアイコンからカメラの使用を許可して、もう一度お試しください。',
  cameraBusyTitle: 'カメラは使用中です',
  cameraBusy: '別のアプリがカメラを使用しています。そのアプリを終了してから、もう一度お試しください。',
  cameraMissingTitle: 'カメラがありません',
  cameraMissing: 'カメラが見つかりません。接続してから、もう一度お試しください。',
  notSecureTitle: '安全な接続ではありません',
  notSecure: 'カメラは https:// のページでのみ使用できます。https:// のアドレスで開いてください。',
  cameraEndedTitle: 'カメラの接続が切れました',
  cameraEnded: 'カメラが取り外されたか、電源が切れました。接続してから、もう一度お試しください。',
};
