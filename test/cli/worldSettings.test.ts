import { expect, test } from 'vitest'
import { root } from './cliProcess.ts'
import { testCli } from './testCli.ts'

const config = (...args: string[]) => testCli({ directory: root }, 'config', ...args)

test('config prints the settings of the connectors, secrets masked', async () => {
  const { out, code } = await config(
    '--kafka.sasl.password=hush',
    '--cassandra.password=hush',
    '--sasl.jaas.config=hush',
  )
  expect(code).toBe(0)
  expect(out).not.toContain('hush')
  for (const key of ['kafka.sasl.password', 'cassandra.password', 'sasl.jaas.config']) {
    expect(out).toMatch(new RegExp(`^${key.replaceAll('.', String.raw`\.`)} +\\*\\*\\* +flag `, 'm'))
  }
  expect(out).toMatch(/^kafka\.session\.timeout\.ms +15000 +default /m)
})

test('a key that is nearly one of a connector is answered with that one', async () => {
  expect(await config('--cassandra.consistancy=ONE')).toMatchObject({
    code: 2,
    err: expect.stringContaining('cassandra.consistency'),
  })
})
