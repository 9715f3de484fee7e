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

/** Appends each event to the list of its key, and writes the list: it says by itself what the state was made of. */
const job = defineJob({
  name: 'append',
  pipeline(context) {
    const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters')
    const appended$ = fromKafka(context, { topic: 'append-events', groupId: 'append' }).pipe(
      mapWithState<Buffer | null, readonly string[], { event: string; list: readonly string[] }>(context, {
        uid: 'lists',
        initial: () => [],
        update: (before, { value }) => {
          const event = value?.toString() ?? ''
          const list = [...before, event]
          return { state: list, output: { event, list } }
        },
        onError: deadLetters,
      }),
      map((record) => record.withValue(JSON.stringify(record.value))),
      toKafkaTransactional(context, { topic: 'append-lists' }),
    )
    return [appended$, deadLetters.records$.pipe(toKafkaTransactional(context, { topic: 'append-dlq' }))]
  },
})
export default job

if (import.meta.main) await runMain(job)
