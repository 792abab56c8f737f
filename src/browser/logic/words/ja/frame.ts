import type { FRAME as EN } from '../en/frame.js';

/** Texts of what stands around every page, in Japanese. */
export const FRAME: typeof EN = {
  appName: 'Kaomon',
  description: '自分のサーバーで動く顔認識',
  otherLanguage: 'English',
  otherLanguageTag: 'en',
  navigation: 'ページ',
  recognition: '認識',
  enrolment: '登録',
  people: '人物',
  status: '稼働状況',
  skipToContent: '本文へ移動',
  notThere: 'ページが見つかりません',
  notThereExplained: 'アドレスが間違っているか、ページが移動した可能性があります。',
  toRecognition: '認識ページへ',
  close: '閉じる',
  cancel: 'キャンセル',
  tryAgain: 'もう一度試す',
  details: '詳細',
  group: 'グループ',
  userid: 'ID',
  username: '名前',
  useridHint: '半角英数字、「_」、「.」が使えます（64 文字以内）。',
  sentenceSpace: '',
  reading: '読み込み中…',
};
