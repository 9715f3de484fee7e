import { map } from 'rxjs'
import { defineJob, fromKafka, runMain, toKafkaTransactional } from 'tidemark'

const job = defineJob({
  name: 'uppercase',
  pipeline: (context) =>
    fromKafka(context, { topic: 'input.topic', groupId: context.job }).pipe(
      map((record) => record.withValue(record.value?.toString().toUpperCase() ?? null)),
      toKafkaTransactional(context, { topic: 'output.topic' }),
    ),
})
export default job

if (import.meta.main) await runMain(job)
