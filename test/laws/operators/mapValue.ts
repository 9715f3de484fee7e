import { mapValue } from '../../../operators/mapValue.ts'
import { throwAt, type Lawful } from '../lawful.ts'

export const laws: readonly Lawful[] = [
  {
    reports: false,
    build: (_, throwsAt) =>
      mapValue((value, { offset }) => {
        throwAt(offset, throwsAt)
        return value
      }),
  },
]
