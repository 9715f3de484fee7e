import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'

/** What every mistake is written in front of. */
const preamble = `
import * as t from 'io-ts'
import * as tidemark from 'tidemark'
declare const context: tidemark.PipelineContext
const { asyncLookup, cassandraRow, decodeJson, defineJob, fromKafka, mapValue } = tidemark
const { integer, mapWithState, setting, sha256Hash, sideOutput, toKafka, toKafkaTransactional } = tidemark
const Order = t.type({ id: t.string, count: t.number })
const order$ = fromKafka(context, { topic: 'in', groupId: 'g' }).pipe(decodeJson(context, Order))
const name = async (order: t.TypeOf<typeof Order>) => order.id
`

/** A mistake, in one line, and the option that it is made in. */
const mistakes: readonly (readonly [option: string, statement: string])[] = [
  ['groupId', "fromKafka(context, { topic: 'in' })"],
  ['startFrom', "fromKafka(context, { topic: 'in', groupId: 'g', startFrom: 'earliest' })"],
  ['onError', "decodeJson(context, Order, { onError: 'dead-letters' })"],
  ['onError', "decodeJson(context, Order, { onError: sideOutput<string>(context, 'dead-letters') })"],
  ['order', "sideOutput<string>(context, 'dead-letters', { order: 'position' })"],
  ['tombstone', "decodeJson(context, Order, { tombstone: 'ignore' })"],
  ['wait', 'order$.pipe(asyncLookup(context, { lookup: name }))'],
  ['wait', "order$.pipe(asyncLookup(context, { lookup: name, wait: 'unorderd' }))"],
  ['lookup', "order$.pipe(asyncLookup(context, { lookup: cassandraRow(context), wait: 'ordered' }))"],
  ['lookup', "order$.pipe(asyncLookup(context, { lookup: ({ id }) => id, wait: 'ordered' }))"],
  ['capacity', "order$.pipe(asyncLookup(context, { lookup: name, wait: 'ordered', capacity: '100' }))"],
  ['timeout', "order$.pipe(asyncLookup(context, { lookup: name, wait: 'ordered', timeout: 5_000 }))"],
  ['whenExhausted', "order$.pipe(asyncLookup(context, { lookup: name, wait: 'ordered', whenExhausted: 'refuse' }))"],
  ['uid', 'order$.pipe(mapWithState(context, { initial: () => 0, update: (n: number) => ({ state: n, output: n }) }))'],
  ['update', "order$.pipe(mapWithState(context, { uid: 'n', initial: () => 0, update: (n: number) => n + 1 }))"],
  ['rowAs', "sha256Hash({ messageAs: 'hash' })"],
  ['value', "order$.pipe(toKafkaTransactional(context, { topic: 'out' }))"],
  ['key', "order$.pipe(mapValue(({ id }) => id), toKafka(context, { topic: 'out', key: 'id' }))"],
  ['value', "order$.pipe(mapValue(async ({ id }) => id), toKafka(context, { topic: 'out' }))"],
  [
    'guarantee',
    "order$.pipe(mapValue(({ id }) => id), toKafkaTransactional(context, { topic: 'o', guarantee: 'none' }))",
  ],
  ['guarantee', "order$.pipe(mapValue(({ id }) => id), toKafka(context, { topic: 'out', guarantee: 'exactly once' }))"],
  ['interval', "defineJob({ name: 'x', checkpoint: { interval: 5 }, pipeline: () => order$ })"],
  ['default', "setting(integer(), { default: '3', meaning: 'Bolts.', example: '3' })"],
  ['default', "setting(integer(), { default: 3, optional: true, meaning: 'Bolts.', example: '3' })"],
  ['meaning', "setting(integer(), { example: '3' })"],
  ['pipeline', "defineJob({ name: 'x', pipeline: () => { order$.pipe(mapValue(({ id }) => id)) } })"],
]

const directory = new URL(`.mistakes-${String(process.pid)}/`, import.meta.url)

afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** Of each mistake the errors that the compiler finds: what it underlines, and what it says. */
function compile(): readonly (readonly string[])[] {
  // Inside the package, because only there `import … from 'tidemark'` means this package.
  mkdirSync(directory, { recursive: true })
  writeFileSync(new URL('.gitignore', directory), '*\n')
  writeFileSync(
    new URL('tsconfig.json', directory),
    JSON.stringify({
      extends: '../../../tsconfig.json',
      include: ['*.ts'],
      compilerOptions: { noUnusedLocals: false },
    }),
  )
  const lines = [...preamble.split('\n'), ...mistakes.map(([, statement]) => statement)]
  writeFileSync(new URL('mistakes.ts', directory), lines.join('\n'))
  const { stdout } = spawnSync('tsc', ['--noEmit', '-p', fileURLToPath(directory)], { encoding: 'utf8' })
  const errors = [...stdout.matchAll(/^\S+\((\d+),(\d+)\): error TS\d+: (.*(?:\n .*)*)/gm)].map(
    ([, line, column, message = '']) => ({
      line: Number(line) - 1,
      text: `${lines[Number(line) - 1]?.slice(Number(column) - 1) ?? ''}\n${message}`,
    }),
  )
  const first = lines.length - mistakes.length
  expect(errors.filter(({ line }) => line < first)).toEqual([])
  return mistakes.map((_, index) => errors.filter(({ line }) => line === first + index).map(({ text }) => text))
}

it('each of these mistakes is one type error, which underlines the option or names it', () => {
  const found = compile()
  for (const [index, [option, statement]] of mistakes.entries()) {
    const pattern = new RegExp(String.raw`^${option}: |'"?${option}"?'`)
    expect({ statement, errors: found[index] }).toEqual({ statement, errors: [expect.stringMatching(pattern)] })
  }
}, 60_000)
