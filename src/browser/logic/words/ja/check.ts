import type { CHECK as EN } from '../en/check.js';

/** Texts of `/check`, in Japanese. */
export const CHECK: typeof EN = {
  checkUp: '登録の点検',
  checkUpExplained:
    '別の人の画像が混ざった登録や、二重に登録された人を見つけ、しきい値を変えるとどうなるかを示します。',
  checkNow: '点検を開始',
  checkStop: '中止',
  checkNever: 'まだ点検していません。',
  checkRunning: (percent) => `全員を点検しています: ${percent} %。このページを離れても続きます。`,
  checkDone: (when, pictures) => `${when} に点検しました（画像 ${pictures} 枚）。`,
  checkDoneTied: (when) => `${when} に点検しました。`,
  checkCancelled: '点検を中止しました。前回の結果を表示しています。',
  checkFailed:
    '点検を完了できませんでした。もう一度開始してください。原因はサーバーのログに記録されています。',
  nothingFound: '問題は見つかりませんでした。',
  moreFound: (shown, all) => `${all} 件中 ${shown} 件を、重要なものから表示しています。`,
  showMore: 'さらに表示',
  pairsTitle: '同じ人の可能性あり',
  pairsExplained:
    '互いに取り違えられる 2 人です。同じ人が 2 つの名前で登録されているか、よく似た別の人です。',
  samePeople: '同じ人なら',
  keepName: (name) => `${name} さんを残す`,
  twoPeople: '別の人です',
  toldApart: (one, two) => `今後は ${one} さんと ${two} さんを区別します。`,
  strangersAsNear: (odds) => `これほど似るのは、${odds}`,
  disagreeTitle: 'ほかと一致しない画像',
  disagreeExplained: '同じ名前で登録されたほかの画像とは、別の人が写っています。',
  undecidedPictures: '写っている人が半々に分かれています。正しい画像だけを残してください。',
  weakTitle: '認識に役立たない画像',
  weakExplained:
    '認識に役立たないか、取り違えの原因になる画像です。削除するか、より良い画像を登録してください。',
  weakReasons: {
    'nearer-to-another': (name) => `${name} さんのほうに似ています。`,
    'far-from-own': 'この人のほかの画像からは認識できません。',
  },
  bareTitle: '画像のない人',
  bareExplained: '画像がないため、認識できません。',
  enrolPictures: '画像を登録',
  damagedFiles: (_count, number) =>
    `破損したデータ ${number} 件を除外しました。詳細は「稼働状況」にあります。`,
  thisPicture: 'この画像',
  anotherPicture: '同じ人のほかの画像',
  looksLike: (name) => `${name} さんに似ています`,
  deletePicture: 'この画像を削除',
  movePicture: (name) => `${name} さんの画像にする`,
  pictureMoved: (name) => `画像を ${name} さんに移しました。`,
  pictureNotMoved: '画像を移せませんでした。',
  thresholdTitle: 'しきい値',
  thresholdPageExplained:
    '登録画像を 1 枚ずつ外し、残りの画像から探した結果です。線をドラッグすると、線より左の顔に名前が付きます。',
  thresholdLine: '名前を付ける距離の上限',
  ofOwn: (wrong, missed) => `1,000 枚あたり 誤り ${wrong} 枚、見逃し ${missed} 枚`,
  ofOwnExplained: (pictures) => `複数の画像がある人の画像 ${pictures} 枚で計算`,
  ofStrangers: (named) => `他人 1,000 人あたり ${named} 人に名前が付きます`,
  ofStrangersExplained: (pictures) => `本人が登録されていない場合を、画像 ${pictures} 枚で計算`,
  tooFewPictures:
    '画像が 2 枚以上ある人がいないため、見逃しは計算できません。1 人につき複数の画像を登録してください。',
  thresholdNoTally: '点検すると、しきい値を変えた結果がここに表示されます。',
  sameHistogram: '同じ人',
  differentHistogram: '別の人',
  apply: 'このしきい値を使う',
  applied: (value) => `今後は、距離が ${value} 未満の顔に名前が付きます。`,
  unchoose: (value) => `自動に戻す（${value}）`,
  unchosen: 'しきい値は、登録内容と設定から自動的に決まります。',
  inForce: (value) => `現在: ${value}`,
  inForceChosen: (value) => `現在: ${value}（ここで選択）`,
};
