import { expect, it } from 'vitest'
import { fromKafka } from '../../operators/fromKafka.ts'
import { operatorContext, type PipelineContext } from '../../src/core/context.ts'
import { attemptStub } from '../support/attemptStub.ts'

it('is the context that was handed on, with what operators need', () => {
  const { context } = attemptStub()
  expect(operatorContext(context)).toBe(context)
})

it.each<readonly [string, unknown]>([
  ['nothing', undefined],
  ['null', null],
  ['the options in its place', { topic: 'in', groupId: 'g' }],
  ['a copy without its methods', { job: 'job', settings: {} }],
  ['a text', 'in'],
])('refuses %s', (_what, given) => {
  const context = given as PipelineContext
  expect(() => fromKafka(context, { topic: 'in', groupId: 'g' })).toThrow(
    expect.objectContaining({
      code: 'invalid-argument',
      message: expect.stringContaining('must be the context that pipeline(context) is given') as string,
    }),
  )
})
