import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { UserProject } from './userProject.ts'

let project: UserProject
beforeAll(() => {
  project = new UserProject()
})
afterAll(() => {
  project.remove()
})

const lines = (...all: string[]): string => `${all.join('\n')}\n`

describe('a job file that cannot be loaded names place, reason and remedy', () => {
  test.each([
    [
      'jobs/syntax.ts',
      lines('const a = 1', 'const b = = 2', 'export default a'),
      ['Expression expected, in jobs/syntax.ts:2.', '\n  const b = = 2\n            ^'],
    ],
    [
      'jobs/syntax.js',
      lines('const a = 1', 'const b = = 2', 'export default a'),
      ["Unexpected token '=', in jobs/syntax.js:2.", '\n  const b = = 2\n            ^'],
    ],
    [
      'jobs/imports.ts',
      lines("import { broken } from './broken.ts'", 'export default broken'),
      ['in jobs/broken.ts:3.', '\n    b: 2\n'],
    ],
    [
      'jobs/enum.ts',
      lines('enum Colour { Red }', 'export default Colour.Red'),
      ['enum is not supported', 'in jobs/enum.ts:1.', "const Colour = { red: 'red' } as const"],
    ],
    [
      'jobs/property.ts',
      lines('class A { constructor(private a: number) {} }', 'export default new A(1)'),
      ['in jobs/property.ts:1.', 'assign it in the constructor'],
    ],
    [
      'jobs/type.ts',
      lines("import { Order } from './types.ts'", 'export default {} as Order'),
      ["does not provide an export named 'Order', in jobs/type.ts:1.", "import type { Order } from './types.ts'"],
    ],
    [
      'jobs/extension.ts',
      lines("import { Order } from './types'", 'export default {} as Order'),
      ["Cannot find module '", 'write …/types.ts for …/types in the import'],
    ],
    [
      'jobs/otherExtension.ts',
      lines("import { Order } from './types.js'", 'export default {} as Order'),
      ['write …/types.ts for …/types.js in the import'],
    ],
    [
      'jobs/package.ts',
      lines("import { ada } from '@lovelace/engine/parts'", 'export default ada'),
      ['Install it: npm install @lovelace/engine'],
    ],
    [
      'jobs/throws.ts',
      lines('const topics = undefined as any', 'const first = (): string => topics[0]', 'export default first()'),
      ["reading '0'", 'at first (jobs/throws.ts:2:'],
    ],
  ])('%s', async (name, content, expected) => {
    project.write('jobs/types.ts', 'export interface Order { id: string }\n')
    project.write('jobs/broken.ts', lines('export const broken = {', '  b: 2', '  c: 3', '}'))
    project.write(name, content)
    const { code, err } = await project.tidemark(['run', name])
    expect(code).toBe(2)
    for (const part of expected) expect(err).toContain(part)
    expect(err).toContain('code: job-not-loaded')
  })
})

describe('what a function of the job throws', () => {
  beforeAll(async () => {
    project.write(
      'jobs/parseOrder.ts',
      lines('export function parseOrder(value: any): string {', '  return value.missing.id', '}'),
    )
    project.write(
      'jobs/orders.ts',
      lines(
        "import { map } from 'rxjs'",
        "import { defineJob, fromKafka, toKafkaTransactional } from 'tidemark'",
        "import { parseOrder } from './parseOrder.ts'",
        'export default defineJob({',
        "  name: 'orders',",
        "  values: { 'restart.delay.ms': '1' },",
        '  pipeline: (context) =>',
        "    fromKafka(context, { topic: 'orders', groupId: 'orders' }).pipe(",
        '      map((record) => record.withValue(parseOrder(record.value))),',
        "      toKafkaTransactional(context, { topic: 'out' }),",
        '    ),',
        '})',
      ),
    )
    await project.tidemark(['topic', 'write', 'orders'], { stdin: 'a\n' })
  })

  const place = 'at parseOrder (jobs/parseOrder.ts:2:24)'

  test('is shown with its line in the error and in every line of the log', async () => {
    const { code, err } = await project.tidemark(['run', 'jobs/orders.ts'])
    expect(code).toBe(1)
    expect(err).toContain('code: poison-record')
    expect(err.split('\n').filter((line) => /makes the pipeline fail|pipeline-failed"/.test(line))).not.toHaveLength(0)
    for (const line of err.split('\n')) if (line.includes('pipeline failed:')) expect(line).toContain(place)
    expect(err).not.toContain('caused by')
  })

  test('is shown with its whole stack at debug', async () => {
    const { err } = await project.tidemark(['run', 'jobs/orders.ts', '--log.level=debug', '--restart.strategy=none'])
    expect(err).toMatch(/^caused by TypeError: .*\n {4}at parseOrder \(file:.*parseOrder\.ts:2:24\)/m)
  })

  test('is shown by preview', async () => {
    expect((await project.tidemark(['preview', 'jobs/orders.ts'])).out).toContain(place)
  })
})
