import { map } from 'rxjs'
import {
  defineJob,
  fromKafka,
  mapWithState,
  runMain,
  sideOutput,
  toKafkaTransactional,
  type DeadLetter,
} from 'tidemark'

/** Numbers the records of each key: a record counted twice or not at all shows in the numbers after it. */
const job = defineJob({
  name: 'count',
  pipeline(context) {
    const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters')
    const counted$ = fromKafka(context, { topic: 'events', groupId: 'count' }).pipe(
      mapWithState<Buffer | null, number, { count: number; event: string }>(context, {
        uid: 'counts',
        initial: () => 0,
        update: (count, { value }) => ({
          state: count + 1,
          output: { count: count + 1, event: value?.toString() ?? '' },
        }),
        onError: deadLetters,
      }),
      map((record) => record.withValue(JSON.stringify(record.value))),
      toKafkaTransactional(context, { topic: 'counts' }),
    )
    return [counted$, deadLetters.records$.pipe(toKafkaTransactional(context, { topic: 'counts-dlq' }))]
  },
})
export default job

if (import.meta.main) await runMain(job)
