import type { STATUS as EN } from '../en/status.js';

/** Texts of `/status`, in Japanese. */
export const STATUS: typeof EN = {
  betterModel: 'より良いモデル',
  switchModel: (title, command) =>
    `${title}。次のコマンドを実行するまで、登録済みの人は現在のモデルのまま認識されます: ${command}。保存した顔画像(KEEP_FACES)から登録を作り直します。画像のない人は登録し直す必要があります。`,
  provider: '実行環境',
  refusedProvider: (name) => `${name} を使えない理由`,
  visionNote: '画像処理スレッド',
  troubled: '現在利用できない機能',
  troubleOf: (what, message) =>
    ({
      gallery: '登録や変更を保存できません。ディスクや Redis の空き容量と書き込み権限を確認してください。',
      audit:
        '監査ログをファイルに書き込めません。ログはメモリに保持されていますが、サーバーが終了すると失われます。',
      events: 'イベントログを読み取れないため、ほかのワーカーでの変更がこのワーカーに反映されません。',
    })[what] ?? message,
  damaged: (count) => `破損しているため除外したデータ: ${count} 件`,
  workers: 'ワーカー',
  workersAndThreads: (workers, threads) => `${workers}(画像処理スレッド 各 ${threads})`,
  index: '検索方式',
  threshold: '他人に名前が付く割合',
  sentenceSpace: '',
  thresholdMeans: (named, of, _faces, enrolled) =>
    `他人 ${of} 人のうち、名前が付くのは多くても ${named} 人です(登録された顔 ${enrolled} 件)。`,
  thresholdNobody: '誰も登録されていないため、誰にも名前は付きません。',
  thresholdFixed: 'しきい値は IDENTICAL_DISTANCE で固定されています。',
  thresholdLimit: '登録された顔が少なくても、しきい値はこれ以上緩くなりません。',
  thresholdBeyond: (pairs) => `測定に使った ${pairs} 組では、これより少ないことまでは確かめられません。`,
  thresholdNotMeasured: 'しきい値は固定です。このモデルで他人に名前が付く割合は測定されていません。',
  requests: 'リクエスト',
  requestsInAll: 'リクエスト総数',
  failures: '失敗',
  memory: 'メモリ',
  uptime: '稼働時間',
  version: 'バージョン',
  queue: 'キュー',
  running: '処理中',
  perSecondUnit: '回/秒',
  pictureUnit: '枚',
  units: { days: '日', hours: '時間', minutes: '分', seconds: '秒' },
  stages: { queue: '待ち時間', decode: 'デコード', detect: '検出', embed: '特徴抽出', search: '検索' },
};
