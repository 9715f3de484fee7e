import { map } from 'rxjs'
import {
  defineJob,
  fromKafka,
  runMain,
  setting,
  sideOutput,
  text,
  toKafkaTransactional,
  type DeadLetter,
} from 'tidemark'

/** Writes how large each value is, and drops the value: under names that a test chooses. */
const job = defineJob({
  name: 'weigh',
  settings: {
    'weigh.topics': setting(text, {
      defaultFor: (name) => name,
      meaning: 'What the topics begin with.',
      example: 'weigh',
    }),
    'weigh.dead.letters': setting(text, {
      default: 'yes',
      meaning: 'Whether bad records have somewhere to go.',
      example: 'no',
    }),
  },
  pipeline(context) {
    const { 'weigh.topics': topics, 'weigh.dead.letters': hasDeadLetters } = context.settings
    const input$ = fromKafka(context, { topic: `${topics}-in`, groupId: `${topics}-group` })
    const sizes$ = input$.pipe(
      map((record) => record.withValue(`${String(record.offset)} ${String(record.value?.length ?? 0)}`)),
    )
    if (hasDeadLetters === 'no') return sizes$.pipe(toKafkaTransactional(context, { topic: `${topics}-out` }))
    const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters')
    return [
      sizes$.pipe(toKafkaTransactional(context, { topic: `${topics}-out`, onError: deadLetters })),
      deadLetters.records$.pipe(toKafkaTransactional(context, { topic: `${topics}-dlq` })),
    ]
  },
})
export default job

if (import.meta.main) await runMain(job)
