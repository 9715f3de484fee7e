import { defineJob, fromKafka, mapValue, runMain, toKafkaTransactional } from 'tidemark'

const job = defineJob({
  name: 'uppercase',
  pipeline: (context) =>
    fromKafka(context, { topic: 'input.topic', groupId: context.job }).pipe(
      mapValue((value) => value?.toString().toUpperCase() ?? null),
      toKafkaTransactional(context, { topic: 'output.topic' }),
    ),
})
export default job

if (import.meta.main) await runMain(job)
