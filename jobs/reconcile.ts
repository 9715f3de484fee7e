/**
 * Holds messages against the Cassandra rows they are about: each message names keyspace, table and primary key, and the
 * result says by SHA-256 fingerprints and an action whether the row agrees with it. Exactly once, dead letters included.
 */
import {
  asyncLookup,
  cassandraRow,
  decodeJson,
  defineJob,
  fromKafka,
  mapValue,
  runMain,
  sha256Hash,
  sideOutput,
  toKafkaTransactional,
  type DeadLetter,
} from 'tidemark'
import { explainReconciliation } from './reconcile/explain.ts'
import { tallyVerdict } from './reconcile/figures.ts'
import { deletionOf, ReconcileRequest } from './reconcile/request.ts'
import { reconcileSample } from './reconcile/sample.ts'
import { reconcileSettings } from './reconcile/settings.ts'
import { verdictOf, resultText } from './reconcile/shapes.ts'
import { reconcileSummary } from './reconcile/summary.ts'

const job = defineJob({
  name: 'reconcile',
  settings: reconcileSettings,
  pipeline(context) {
    const { settings } = context
    const wait = settings['reconcile.wait']
    const rows = cassandraRow(context)
    const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters', {
      order: wait === 'ordered' ? 'position' : 'emission',
    })
    const reconciled$ = fromKafka(context, {
      topic: settings['reconcile.input.topic'],
      groupId: settings['reconcile.group'],
      startFrom: settings['reconcile.start.from'],
    }).pipe(
      decodeJson(context, ReconcileRequest, { numbers: 'exact', tombstone: deletionOf, onError: deadLetters }),
      asyncLookup(context, {
        lookup: rows,
        wait,
        capacity: settings['reconcile.capacity'],
        timeoutMs: settings['reconcile.lookup.timeout.ms'],
        batch: settings['reconcile.lookup.batch'],
        rateLimit: settings['reconcile.rate.limit'] ?? null,
        whenExhausted: settings['reconcile.on.lookup.error'],
        onError: deadLetters,
      }),
      sha256Hash({
        messageAs: 'hash',
        rowAs: 'cass_hash',
        letters: settings['reconcile.hash.case'],
        missing: settings['reconcile.missing.hash'],
      }),
      mapValue(({ message, row }, record) => {
        const verdict = verdictOf(message, row)
        tallyVerdict(context, message, verdict)
        return resultText(settings['reconcile.shape'], record, rows, verdict.action)
      }),
      toKafkaTransactional(context, {
        topic: settings['reconcile.output.topic'],
        transactionalIdPrefix: settings['reconcile.transactional.id.prefix'],
        onError: deadLetters,
      }),
    )
    const refused$ = deadLetters.records$.pipe(
      toKafkaTransactional(context, { topic: settings['reconcile.dlq.topic'], name: 'dead-letter-topic' }),
    )
    return [reconciled$, refused$]
  },
  sample: (options, settings) => reconcileSample(options, settings['reconcile.input.topic']),
  summary: reconcileSummary,
  explain: explainReconciliation,
})

export default job

if (import.meta.main) await runMain(job)
