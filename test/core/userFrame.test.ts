import { expect, test } from 'vitest'
import path from 'node:path'
import { userFrame } from '../../src/core/userFrame.ts'

const root = path.resolve(import.meta.dirname, '../..')

function errorWith(...frames: string[]): Error {
  const error = new TypeError('x')
  error.stack = ['TypeError: x', ...frames.map((frame) => `    at ${frame}`)].join('\n')
  return error
}

test.each([
  ['a named function', 'parse (file:///home/ada/orders.ts:12:9)', 'parse (/home/ada/orders.ts:12:9)'],
  ['a function without a name', 'file:///home/ada/orders.ts:12:9', '/home/ada/orders.ts:12:9'],
  ['an awaited function', 'async read (/home/ada/orders.js:1:2)', 'read (/home/ada/orders.js:1:2)'],
  ['a method', 'new Order (file:///home/ada/a%20b/orders.ts:1:2)', 'new Order (/home/ada/a b/orders.ts:1:2)'],
  ['a job of the repository', `map (file://${root}/jobs/uppercase.ts:9:30)`, 'map (jobs/uppercase.ts:9:30)'],
])('%s is the user’s', (_what, frame, expected) => {
  const foreign = [
    'JSON.parse (<anonymous>)',
    'Module.run (node:internal/modules/run:1:1)',
    'map (/home/ada/node_modules/rxjs/dist/map.js:1:1)',
    `next (file://${root}/src/core/operate.ts:1:1)`,
    `next (file://${root}/operators/decodeJson.ts:1:1)`,
  ]
  expect(userFrame(errorWith(...foreign, frame, 'other (/home/ada/other.js:1:1)'))).toBe(expected)
  expect(userFrame(errorWith(...foreign))).toBeNull()
})

test.each([['a text'], [null], [Object.assign(new Error('x'), { stack: undefined })]])(
  'what has no stack has no frame: %s',
  (thrown) => {
    expect(userFrame(thrown)).toBeNull()
  },
)
