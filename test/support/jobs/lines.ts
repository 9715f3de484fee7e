import { defineJob, fromKafka, runMain, setting, text } from 'tidemark'
import { toLines } from '../lines/toLines.ts'

/** Writes a topic as lines to files, under names that a test chooses. */
const job = defineJob({
  name: 'lines',
  settings: {
    'lines.directory': setting(text, { meaning: 'Where the files are.', example: '/tmp/lines' }),
  },
  pipeline: (context) =>
    fromKafka(context, { topic: `${context.job}-in`, groupId: `${context.job}-group` }).pipe(
      toLines(context, { uid: 'lines', directory: context.settings['lines.directory'] }),
    ),
})
export default job

if (import.meta.main) await runMain(job)
