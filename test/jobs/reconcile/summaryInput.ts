import { isRight } from 'fp-ts/lib/Either.js'
import { reconcileSettings, type ReconcileSettings } from '../../../jobs/reconcile/settings.ts'
import type { SummaryInput, Tally } from '../../../src/runtime/plan/defineJob.ts'

export function tally(name: string, labels: readonly string[], count: number): Tally {
  return { name, labels, count }
}

const settings: ReconcileSettings = {
  'reconcile.input.topic': 'input-topic',
  'reconcile.output.topic': 'reconcile',
  'reconcile.dlq.topic': 'reconcile-dlq',
  'reconcile.group': 'reconcile-group',
  'reconcile.transactional.id.prefix': 'reconcile-tx',
  'reconcile.start.from': { kind: 'earliest' },
  'reconcile.shape': 'action',
  'reconcile.wait': 'unordered',
  'reconcile.capacity': 1000,
  'reconcile.lookup.timeout.ms': 5000,
  'reconcile.lookup.batch': defaultBatch(),
  'reconcile.on.lookup.error': 'dead-letter',
  'reconcile.rate.limit': undefined,
  'reconcile.missing.hash': 'null',
  'reconcile.hash.case': 'upper',
}

function defaultBatch(): ReconcileSettings['reconcile.lookup.batch'] {
  const decoded = reconcileSettings['reconcile.lookup.batch'].decode('auto')
  if (isRight(decoded)) return decoded.right
  throw new Error(decoded.left)
}

const tallies = [
  tally('messages', ['ks1.users', 'NONE'], 1200),
  tally('messages', ['ks1.users', 'UPDATE'], 30),
  tally('messages', ['shop.orders', 'NONE'], 50),
  tally('messages', ['shop.orders', 'INSERT'], 7),
  tally('messages', ['shop.orders', 'DELETE'], 3),
  tally('differing', ['ks1.users', 'age'], 21),
  tally('differing', ['ks1.users', 'email'], 11),
  tally('dead-letters', ['malformed-json'], 8),
  tally('dead-letters', ['unknown-table'], 2),
  tally('ignored-fields', [], 4),
]

/** What a run over two tables hands to the summary. */
export function summaryInput(
  changes: Partial<Omit<SummaryInput<ReconcileSettings>, 'settings'>> & {
    readonly settings?: Partial<ReconcileSettings>
  } = {},
): SummaryInput<ReconcileSettings> {
  return {
    world: 'embedded',
    tallies,
    records: 1300,
    durationMs: 2500,
    endedAtMs: Date.UTC(2026, 10, 2, 9, 30),
    outputs: [],
    style: (_format, text) => text,
    ...changes,
    settings: { ...settings, ...changes.settings },
  }
}
