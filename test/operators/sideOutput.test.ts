import { describe, expect, it } from 'vitest'
import { sideOutput } from '../../operators/sideOutput.ts'
import { attemptStub, SideOutputStub } from '../support/attemptStub.ts'
import { sampleRecord } from '../support/sampleRecord.ts'
import type { StreamRecord } from '../../src/core/record.ts'

/** A context whose side output the test completes. */
function withOutput() {
  const attempt = attemptStub()
  const inner = new SideOutputStub<StreamRecord>('dead-letters')
  // The stub's side outputs are all this one, of the type this test asks for.
  const sideOutputOf = (() => inner) as typeof attempt.context.sideOutput
  return { attempt, inner, context: { ...attempt.context, sideOutput: sideOutputOf } }
}

describe('sideOutput', () => {
  it("is the task's own side output in order of emission", () => {
    const { inner, context } = withOutput()
    expect(sideOutput(context, 'dead-letters')).toBe(inner)
  })

  it('gives records by topic, partition and offset of their source, equal ones as they came, when it completes', () => {
    const { attempt, inner, context } = withOutput()
    const output = sideOutput<StreamRecord>(context, 'dead-letters', { order: 'position' })
    const seen: string[] = []
    let completed = false
    output.records$.subscribe({
      next: ({ topic, partition, offset, raw }) =>
        seen.push(`${topic} ${partition}@${offset} ${raw?.toString() ?? ''}`),
      complete: () => (completed = true),
    })
    for (const [topic, partition, offset, text] of [
      ['b', 0, 1, 'first'],
      ['a', 1, 10, ''],
      ['b', 0, 1, 'second'],
      ['a', 1, 9, ''],
      ['a', 0, 11, ''],
      ['B', 0, 99, ''],
    ] as const) {
      output.emit(sampleRecord(text, { topic, partition, offset }))
    }
    expect(seen).toEqual([])
    expect(attempt.steps[0]?.pending).toBe(6)
    inner.complete()
    expect(seen).toEqual(['B 0@99 ', 'a 0@11 ', 'a 1@9 ', 'a 1@10 ', 'b 0@1 first', 'b 0@1 second'])
    expect(completed).toBe(true)
    expect(attempt.steps[0]?.pending).toBe(0)
  })

  it.each([
    ['', {}, 'name'],
    ['x', { order: 'offset' }, 'order'],
  ])('refuses name %j with %j when the pipeline is built', (name, options, option) => {
    const { context } = withOutput()
    expect(() => sideOutput(context, name, options as { order: 'emission' })).toThrow(
      `sideOutput: option ${option} must be `,
    )
  })
})
