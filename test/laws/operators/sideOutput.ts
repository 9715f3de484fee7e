import { sideOutput } from '../../../operators/sideOutput.ts'
import type { SideOutput } from '../../../src/core/context.ts'
import type { StreamRecord } from '../../../src/core/record.ts'
import type { Lawful } from '../lawful.ts'

export const laws: readonly Lawful[] = [
  {
    form: 'by position',
    callback: false,
    build: (context) => (source$) => {
      const inner = { name: 'laws', emit: () => undefined, records$: source$ }
      // The side output of this context is the source under test, of whatever type the operator asks for.
      const sideOutputOf = <T>(): SideOutput<T> => inner as unknown as SideOutput<T>
      return sideOutput<StreamRecord>({ ...context, sideOutput: sideOutputOf }, 'laws', { order: 'position' }).records$
    },
  },
]
