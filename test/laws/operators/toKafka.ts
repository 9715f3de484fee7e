import { toKafka } from '../../../operators/toKafka.ts'
import type { StreamRecord } from '../../../src/core/record.ts'
import { throwAt, type Lawful } from '../lawful.ts'

export const laws: readonly Lawful[] = [
  {
    build: (context, throwsAt) =>
      toKafka(context, {
        topic: (record: StreamRecord) => {
          throwAt(record.offset, throwsAt)
          return 'out'
        },
      }),
  },
]
