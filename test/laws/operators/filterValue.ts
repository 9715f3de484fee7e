import { filterValue } from '../../../operators/filterValue.ts'
import { throwAt, type Lawful } from '../lawful.ts'

export const laws: readonly Lawful[] = [
  {
    reports: false,
    build: (_, throwsAt) =>
      filterValue((_value, { offset }) => {
        throwAt(offset, throwsAt)
        return true
      }),
  },
]
