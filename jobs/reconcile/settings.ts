import { choice, durationMs, either, integer, setting, startMode, text, type SettingsOf } from 'tidemark'

/** What can be set about the reconcile job; `npx tidemark config jobs/reconcile.ts` prints it. */
export const reconcileSettings = {
  'reconcile.input.topic': setting(text, {
    default: 'input-topic',
    meaning: 'Topic of the messages that are held against their rows.',
    example: 'input-topic',
  }),
  'reconcile.output.topic': setting(text, {
    default: 'reconcile',
    meaning: 'Topic of the results.',
    example: 'reconcile',
  }),
  'reconcile.dlq.topic': setting(text, {
    default: 'reconcile-dlq',
    meaning: 'Topic of the messages that could not be reconciled, with the reason.',
    example: 'reconcile-dlq',
  }),
  'reconcile.group': setting(text, {
    defaultFor: (job) => `${job}-group`,
    meaning: 'Consumer group; each job needs its own.',
    example: 'reconcile-group',
  }),
  'reconcile.transactional.id.prefix': setting(text, {
    defaultFor: (job) => `${job}-tx`,
    meaning: 'Begins the transactional id of every partition; each job needs its own.',
    example: 'reconcile-tx',
  }),
  'reconcile.start.from': setting(startMode, {
    default: { kind: 'earliest' },
    meaning: 'Where a partition without a commit begins.',
    example: 'timestamp:2026-11-01T00:00:00Z',
  }),
  'reconcile.shape': setting(
    choice(['action', 'single-key', 'composite', 'sql'], { reconsile: 'action', reconcile: 'single-key' }),
    { default: 'action', meaning: 'Shape of the results; docs/reconcile.md shows each.', example: 'composite' },
  ),
  'reconcile.wait': setting(choice(['ordered', 'unordered']), {
    default: 'unordered',
    meaning: 'Whether results keep the order of the messages, or a slow lookup holds up no other.',
    example: 'ordered',
  }),
  'reconcile.capacity': setting(integer({ min: 1, max: 1_000_000 }), {
    default: 1000,
    meaning: 'Messages of one partition that may be in the lookup at a time.',
    example: '100',
  }),
  'reconcile.lookup.timeout.ms': setting(durationMs({ minMs: 1 }), {
    default: 5000,
    meaning: 'Longest time for the lookup of one message, retries included.',
    example: '5000',
  }),
  'reconcile.lookup.batch': setting(either(choice(['auto', 'off']), integer({ min: 1, max: 1000 })), {
    default: 'auto',
    meaning: 'Keys that one request may ask for: auto, off, or a number.',
    example: '25',
  }),
  'reconcile.on.lookup.error': setting(choice(['dead-letter', 'fail']), {
    default: 'dead-letter',
    meaning: 'What becomes of a message whose lookup fails while the system answers others.',
    example: 'fail',
  }),
  'reconcile.rate.limit': setting(integer({ min: 1 }), {
    optional: true,
    meaning: 'Most lookups per second and partition; absent: no limit.',
    example: '2000',
  }),
  'reconcile.missing.hash': setting(choice(['null', 'empty']), {
    default: 'null',
    meaning: 'Hash of a row that is missing: null, or the hash of the empty text.',
    example: 'empty',
  }),
  'reconcile.hash.case': setting(choice(['upper', 'lower']), {
    default: 'upper',
    meaning: 'Letters of the hashes.',
    example: 'lower',
  }),
} as const

export type ReconcileSettings = SettingsOf<typeof reconcileSettings>
