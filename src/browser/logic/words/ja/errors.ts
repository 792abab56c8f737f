import type { ERRORS as EN } from '../en/errors.js';

/** Texts of the server's error codes, in Japanese. */
export const ERRORS: typeof EN = {
  errors: {
    NO_FACE: '顔が見つかりません。明るい場所でカメラに近づき、正面を向いてください。',
    SEVERAL_FACES: '複数の顔が写っています。登録する人だけを写してください。',
    FACE_TOO_SMALL: '顔が小さすぎます。カメラに近づいてください。',
    FACE_BLURRED: '顔のピントが合っていません。明るい場所で、動かずに撮影してください。',
    FACE_TURNED: '顔が横を向いています。カメラをまっすぐ見てください。',
    ALREADY_REGISTERED: 'この人は登録したばかりです。5 秒ほどお待ちください。',
    OTHER_PERSON: 'この顔は別の人として登録されています。',
    CORRECTION_REFUSED:
      'この画像はこの人の画像として登録されています。「人物」で、その画像を削除してください。',
    CORRECTION_UNKNOWN: 'この訂正はすでに取り消されています。',
    NOT_THE_SAME_PERSON: 'この画像には、ほかの画像とは別の人が写っています。',
    PERSON_EXISTS: 'このグループには、同じ ID の人がすでに登録されています。',
    GROUP_EXISTS: '同じ ID のグループがすでにあります。',
    GROUP_UNKNOWN: 'そのグループはありません。',
    GROUP_NOT_EMPTY: 'このグループには人が登録されています。',
    PERSON_UNKNOWN: 'その人はもう登録されていません。',
    FACE_UNKNOWN: 'その画像はもうありません。',
    SIGHTING_UNKNOWN: 'その来訪の記録はもうありません。',
    UNKNOWN_GONE: 'この未登録の人の記録はもうありません。名前が付けられたか、来訪の記録が削除されました。',
    UNDO_GONE: 'この操作はもう元に戻せません。',
    USERID_INVALID: 'ID に使えるのは、半角英数字、「_」、「.」のみです。',
    GROUPID_INVALID: 'グループの ID に使えるのは、半角英数字、「_」、「.」のみです。',
    IMAGE_UNREADABLE: '画像が壊れています。',
    IMAGE_FORMAT_UNKNOWN:
      '読み込めない形式です（JPEG、PNG、WebP、AVIF、GIF、TIFF に対応）。HEIC は JPEG に変換するか、iPhone の「設定」→「カメラ」→「フォーマット」で「互換性優先」を選んでください。',
    IMAGE_TOO_LARGE: '画像の画素数が多すぎます。',
    UPLOAD_TOO_LARGE: 'ファイルが大きすぎます。',
    FORBIDDEN: 'このキーには、その操作の権限がありません。',
    UNAUTHORISED: '先にサインインしてください。',
    BUSY: 'サーバーが混み合っています。しばらくしてから、もう一度お試しください。',
    TOO_MANY_REQUESTS: 'リクエストが多すぎます。しばらくしてから、もう一度お試しください。',
    NO_MODEL: 'サーバーにモデルが読み込まれていません。',
    CLOSING: 'サーバーは終了処理中です。',
    STORE_UNAVAILABLE: '現在、サーバーに保存できません。',
    STORAGE_FULL: 'サーバーの空き容量がありません。削除は可能です。',
    SIGHTINGS_OFF: 'このサーバーは来訪を記録していません。記録するには SIGHTINGS=true を設定してください。',
    GONE: 'サーバーが応答しません。',
  },
};
