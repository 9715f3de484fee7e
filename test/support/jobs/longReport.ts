import { defineJob, fromKafka, runMain, toKafkaTransactional } from 'tidemark'

/** Copies records, and says at great length that it has. */
const job = defineJob({
  name: 'long-report',
  pipeline: (context) =>
    fromKafka(context, { topic: 'events', groupId: 'long-report' }).pipe(
      toKafkaTransactional(context, { topic: 'copies' }),
    ),
  summary: ({ records }) => ({ lines: [`copied ${String(records)}`], reportHtml: '.'.repeat(1024 * 1024) }),
})
export default job

if (import.meta.main) await runMain(job)
