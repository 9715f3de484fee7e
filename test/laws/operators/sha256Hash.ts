import { map, pipe } from 'rxjs'
import { sha256Hash } from '../../../operators/sha256Hash.ts'
import type { StreamRecord } from '../../../src/core/record.ts'
import { throwAt, type Lawful } from '../lawful.ts'

export const laws: readonly Lawful[] = [
  {
    reports: false,
    build: (_, throwsAt) =>
      pipe(
        map((record: StreamRecord) =>
          record.withValue({
            row: {
              get encoded() {
                throwAt(record.offset, throwsAt)
                return ''
              },
            },
          }),
        ),
        sha256Hash({ messageAs: 'a', rowAs: 'b' }),
      ),
  },
]
