import { mapWithState } from '../../../operators/mapWithState.ts'
import { throwAt, type Lawful } from '../lawful.ts'

export const laws: readonly Lawful[] = [
  {
    build: (context, throwsAt) =>
      mapWithState(context, {
        uid: 'laws',
        initial: () => 0,
        update: (state: number, record) => {
          throwAt(record.offset, throwsAt)
          return { state, output: state }
        },
      }),
  },
]
