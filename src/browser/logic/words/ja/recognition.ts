import type { RECOGNITION as EN } from '../en/recognition.js';

/** Texts of `/`, in Japanese. */
export const RECOGNITION: typeof EN = {
  recognitionTitle: '顔の認識',
  stage: 'カメラ映像と見つかった顔',
  whoIsHere: '写っている人',
  nobodyHere: '顔は写っていません。',
  unknown: '未登録',
  unknownFace: '未登録の顔',
  unfit: {
    turned: '顔をまっすぐ向けてください',
    too_small: '顔が小さすぎます',
    too_blurred: '顔がぼやけています',
  },
  sure: '確実',
  likely: 'おそらく',
  announce: (names, unknown) => {
    const all = [
      ...names.map((name) => `${name} さん`),
      ...(unknown > 0 ? [`未登録の顔 ${unknown} 人`] : []),
    ];
    return all.length === 0 ? '誰も写っていません' : `写っている人: ${all.join('、')}`;
  },
  landmarks: '特徴点',
  mirror: '左右反転',
  freeze: '静止',
  unfreeze: '再開',
  savePicture: '画像を保存',
  fullScreen: '全画面',
  leaveFullScreen: '全画面を終了',
  roundTrip: '応答時間',
  milliseconds: (n) => `${n} ms`,
  answersPerSecond: '応答数',
  perSecond: (n) => `${n} 回/秒`,
  frameSize: '送信画像のサイズ',
  model: 'モデル',
  way: '送信方法',
  wayStream: 'WebSocket',
  wayPost: '個別リクエスト',
  distance: '距離',
  enrolledSince: '登録日時',
  pictures: '画像',
  picturesCount: (n) => `画像 ${n} 枚`,
  whoIsThis: 'この人は誰ですか',
  enrolHere: 'この顔を登録',
  enrolled: (name) => `${name} さんを登録しました。`,
  enrolledAlready: (name) => `この画像は ${name} さんの画像としてすでに登録されています。`,
  drawsPerSecond: '描画',
  namedBelow: '同一人物とみなす距離',
  certainBelow: '確実とみなす距離',
  odds: {
    oneIn: (n) => `他人なら${n}人に1人`,
    fewer: (n) => `他人なら${n}人に1人未満`,
    often: (n) => `他人なら${n}人に1人以上`,
  },
  oddsExplained: {
    oneIn: (n) => `他人が登録者の誰かにこれほど似るのは、${n}人に1人です。`,
    fewer: (n) => `他人が登録者の誰かにこれほど似るのは、${n}人に1人もいません。`,
    often: (n) => `他人が登録者の誰かにこれほど似るのは、${n}人に1人以上です。`,
  },
};
