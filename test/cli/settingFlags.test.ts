import { expect, test } from 'vitest'
import { splitSettingFlags } from '../../src/cli/settingFlags.ts'

function split(...args: string[]) {
  const { settings, rest } = splitSettingFlags(args)
  return { settings: Object.fromEntries(settings), rest }
}

test('settings are taken out of the arguments in both spellings, and the rest keeps its order', () => {
  expect(
    split('run', 'jobs/a.ts', '--reconcile.group=g=1', '--follow', '--data.dir', '/d', '--config', 'x.properties'),
  ).toEqual({
    settings: { 'reconcile.group': 'g=1', 'data.dir': '/d' },
    rest: ['run', 'jobs/a.ts', '--follow', '--config', 'x.properties'],
  })
})

test('a value may be empty or negative, and options with dots in their values are left alone', () => {
  expect(split('--a.b=', '--a.c', '-1', '--data-dir=./x.y')).toEqual({
    settings: { 'a.b': '', 'a.c': '-1' },
    rest: ['--data-dir=./x.y'],
  })
})

test('nothing is taken after --', () => {
  expect(split('--', '--a.b=1')).toEqual({ settings: {}, rest: ['--', '--a.b=1'] })
})

test.each([[['--a.b']], [['--a.b', '--follow']]])('a setting without a value is refused: %j', (args) => {
  expect(() => splitSettingFlags(args)).toThrow(expect.objectContaining({ code: 'invalid-setting' }))
})

test('a setting that is given twice is refused', () => {
  expect(() => splitSettingFlags(['--a.b=1', '--a.b=2'])).toThrow('--a.b is given twice')
})
