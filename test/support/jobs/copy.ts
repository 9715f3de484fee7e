import { defineJob, fromKafka, runMain, setting, text, toKafkaTransactional } from 'tidemark'

/** Copies a topic, under names that a test chooses: its topics begin with the name of the deployment. */
const job = defineJob({
  name: 'copy',
  settings: {
    'copy.topics': setting(text, {
      defaultFor: (name) => name,
      meaning: 'What the topics begin with.',
      example: 'copy',
    }),
  },
  pipeline(context) {
    const topics = context.settings['copy.topics']
    return [
      fromKafka(context, { topic: `${topics}-in`, groupId: `${topics}-group` }).pipe(
        toKafkaTransactional(context, { topic: `${topics}-out`, transactionalIdPrefix: `${topics}-tx` }),
      ),
    ]
  },
})
export default job

if (import.meta.main) await runMain(job)
