import { describe, expect, expectTypeOf, test } from 'vitest'
import { systems } from '../../../src/composition.ts'
import { embeddedSystem } from '../../../src/connectors/embedded/system.ts'
import { kafkaSystem } from '../../../src/connectors/kafka/system.ts'
import { settingsOfSystems } from '../../../src/core/ports/system.ts'
import { parseProperties } from '../../../src/codecs/properties.ts'
import { setting } from '../../../src/core/setting.ts'
import { choice, integer, text } from '../../../src/core/settingCodecs.ts'
import { resolveSettings, type SettingSources } from '../../../src/runtime/settings/resolve.ts'

const specs = {
  'orders.topic': setting(text, { default: 'orders', meaning: 'Topic that is read.', example: 'orders' }),
  'orders.size': setting(integer({ min: 1 }), { default: 10, meaning: 'A size.', example: '20' }),
  'orders.mode': setting(choice(['fast', 'safe']), { optional: true, meaning: 'A mode.', example: 'safe' }),
  'orders.password': setting(text, { optional: true, secret: true, meaning: 'A password.', example: 'secret' }),
}

type Given = Omit<Partial<SettingSources<typeof specs>>, 'flags' | 'file'> & {
  flags?: Record<string, string>
  file?: string
}

function resolve({ flags = {}, file, ...given }: Given = {}) {
  return resolveSettings<typeof specs>({
    flags: new Map(Object.entries(flags)),
    environment: {},
    file: file === undefined ? null : { name: 'application.properties', properties: parseProperties(file) },
    job: { path: 'jobs/orders.ts', name: 'orders', specs },
    world: settingsOfSystems(systems),
    ...given,
  })
}

function failureOf(given: Given): unknown {
  try {
    resolve(given)
  } catch (error) {
    return error
  }
  return 'did not throw'
}

describe('the name under which a job is deployed', () => {
  const derived = {
    'orders.group': setting(text, { defaultFor: (job) => `${job}-group`, meaning: 'A group.', example: 'g' }),
  }
  const named = (given: Omit<Partial<SettingSources<typeof derived>>, 'file'>, file = '') =>
    resolveSettings<typeof derived>({
      flags: new Map(),
      environment: {},
      file: { name: 'application.properties', properties: parseProperties(file) },
      job: { path: 'jobs/orders.ts', name: 'orders', specs: derived },
      ...given,
    })

  test.each([
    [{}, '', 'orders', 'jobs/orders.ts'],
    [{}, 'job.name=of-file', 'of-file', 'application.properties:1'],
    [{ environment: { JOB_NAME: 'of.environment' } }, 'job.name=of-file', 'of.environment', 'environment JOB_NAME'],
    [{ environment: { JOB_NAME: 'x' }, flags: new Map([['job.name', 'of_flag']]) }, '', 'of_flag', 'flag'],
  ])('is that of the strongest layer, and defaults follow it: %o %s', (given, file, name, origin) => {
    const settings = named(given, file)
    expect(settings.get('job.name')).toBe(name)
    expect(settings.origin('job.name')).toBe(origin)
    expect(settings.job['orders.group']).toBe(`${name}-group`)
    expect(settings.origin('orders.group')).toBe('default')
    expect(settings.entries().find(({ key }) => key === 'orders.group')?.value).toBe(`${name}-group`)
  })

  test('leaves alone what is set', () => {
    const flags = new Map([
      ['job.name', 'orders-eu'],
      ['orders.group', 'mine'],
    ])
    expect(named({ flags }).job['orders.group']).toBe('mine')
  })

  test.each(['a/b', '..', 'a b', 'ü', 'x'.repeat(101)])('is refused where it can be no name: %j', (name) => {
    expect(() => named({ flags: new Map([['job.name', name]]) })).toThrow(
      expect.objectContaining({ code: 'invalid-setting' }),
    )
  })

  test('is not set without a job', () => {
    expect(
      resolveSettings({ flags: new Map(), environment: {}, file: null, job: null }).get('job.name'),
    ).toBeUndefined()
  })
})

describe('layers', () => {
  const job = { path: 'jobs/orders.ts', name: 'orders', specs, values: { 'orders.topic': 'of-job' } }
  const file = '# first line\norders.topic=of-file\n'
  const environment = { ORDERS_TOPIC: 'of-environment' }
  const flags = { 'orders.topic': 'of-flag' }

  test.each([
    [{}, 'orders', 'default'],
    [{ job }, 'of-job', 'jobs/orders.ts'],
    [{ job, file }, 'of-file', 'application.properties:2'],
    [{ job, file, environment }, 'of-environment', 'environment ORDERS_TOPIC'],
    [{ job, file, environment, flags }, 'of-flag', 'flag'],
  ])('the strongest layer of %o decides', (given, value, origin) => {
    const settings = resolve(given)
    expect(settings.job['orders.topic']).toBe(value)
    expect(settings.origin('orders.topic')).toBe(origin)
  })

  test('the framework reads its own settings from the same layers', () => {
    const settings = resolve({ environment: { CHECKPOINT_INTERVAL_MS: '15 s' }, file: 'checkpoint.interval.ms=7\n' })
    expect(settings.get('checkpoint.interval.ms')).toBe(15_000)
  })

  test('an empty variable of the environment counts as not set', () => {
    expect(resolve({ environment: { ORDERS_TOPIC: '' } }).origin('orders.topic')).toBe('default')
  })

  test('the spelling that is Tidemark’s alone wins over the plain one', () => {
    const both = { LOG_LEVEL: 'trace', TIDEMARK_LOG_LEVEL: 'debug', TIDEMARK_ORDERS_TOPIC: 'b', ORDERS_TOPIC: 'a' }
    const settings = resolve({ environment: both })
    expect(settings.get('log.level')).toBe('debug')
    expect(settings.origin('log.level')).toBe('environment TIDEMARK_LOG_LEVEL')
    expect(settings.job['orders.topic']).toBe('b')
    expect(settings.warnings).toEqual([])
    expect(resolve({ environment: { TIDEMARK_LOG_LEVEL: '', LOG_LEVEL: 'warn' } }).get('log.level')).toBe('warn')
  })

  test('the checkpoint of a job file is its layer too', () => {
    const settings = resolve({
      job: {
        path: 'j.ts',
        name: 'j',
        specs,
        checkpoint: { intervalMs: 30_000, minPauseMs: 15_000, timeoutMs: 60_000 },
      },
      flags: { 'checkpoint.min.pause.ms': '5' },
    })
    expect(settings.get('checkpoint.interval.ms')).toBe(30_000)
    expect(settings.origin('checkpoint.interval.ms')).toBe('j.ts')
    expect(settings.get('checkpoint.min.pause.ms')).toBe(5)
  })

  test('the restart strategy of a job file is its layer too', () => {
    const restart = { strategy: 'failure-rate', maxFailures: 5, intervalMs: 300_000, delayMs: 30_000 } as const
    const settings = resolve({ job: { path: 'j.ts', name: 'j', specs, restart }, follow: true })
    expect(settings.get('restart.strategy')).toBe('failure-rate')
    expect(settings.get('restart.delay.ms')).toBe(30_000)
  })

  test('--follow changes the default restart strategy and nothing stronger', () => {
    expect(resolve({ follow: true }).get('restart.strategy')).toBe('exponential-delay')
    expect(resolve({ follow: true, file: 'restart.strategy=none' }).get('restart.strategy')).toBe('none')
  })
})

describe('values', () => {
  test('are decoded and typed by their keys', () => {
    const { job } = resolve({ flags: { 'orders.size': '20', 'orders.mode': 'safe' } })
    expectTypeOf(job['orders.size']).toEqualTypeOf<number>()
    expectTypeOf(job['orders.mode']).toEqualTypeOf<'fast' | 'safe' | undefined>()
    expect(job).toEqual({
      'orders.topic': 'orders',
      'orders.size': 20,
      'orders.mode': 'safe',
      'orders.password': undefined,
    })
  })

  test('that do not decode name key, place, what was expected and an example', () => {
    expect(failureOf({ file: '\n\norders.size=many\n' })).toMatchObject({
      code: 'invalid-setting',
      message:
        'orders.size has a value that it cannot have (application.properties:3): expected an integer of at least 1. Example: orders.size=20',
      details: { setting: 'orders.size', place: 'application.properties:3' },
    })
    expect(failureOf({ environment: { ORDERS_SIZE: '0' } })).toMatchObject({
      message: expect.stringContaining('orders.size is 0 (environment ORDERS_SIZE)'),
    })
  })

  test('that are required and absent name key, places and an example', () => {
    const required = { 'orders.topic': setting(text, { meaning: 'Topic that is read.', example: 'orders' }) }
    expect(() =>
      resolveSettings({
        flags: new Map(),
        environment: {},
        file: null,
        job: { path: 'j.ts', name: 'j', specs: required },
      }),
    ).toThrow(
      expect.objectContaining({
        code: 'missing-setting',
        message:
          'orders.topic is not set, and the job needs it: Topic that is read. Set it in application.properties (orders.topic=orders), as ORDERS_TOPIC in the environment, or as --orders.topic=orders',
      }),
    )
  })

  test.each([
    ['checkpoint.max.concurrent', '2', 'never overlap'],
    ['state.backend', 'hdfs://namenode/flink', 'data.dir'],
    ['state.backend', 'file:/var/state', 'data.dir'],
    ['data.dir', '', 'not empty'],
    ['restart.strategy', 'exponential', 'exponential-delay'],
  ])('%s = %s is refused with the reason', (key, value, reason) => {
    expect(failureOf({ flags: { [key]: value } })).toMatchObject({
      code: 'invalid-setting',
      message: expect.stringContaining(reason),
    })
  })
})

describe('a value of the environment that does not decode', () => {
  const dashboardPort = { DASHBOARD_PORT: 'tcp://10.0.0.1:8081' }

  test.each([
    [dashboardPort, 'dashboard.port', 8081, 'default'],
    [{ LOG_LEVEL: 'trace' }, 'log.level', 'info', 'default'],
    [{ LOG_FORMAT: 'logfmt' }, 'log.format', 'auto', 'default'],
    [{ STATE_BACKEND: 's3' }, 'state.backend', 'file:', 'default'],
  ] as const)('%j is taken for another program’s, with a warning', (environment, key, value, origin) => {
    const settings = resolve({ environment })
    expect(settings.get(key)).toBe(value)
    expect(settings.origin(key)).toBe(origin)
    expect(settings.warnings).toEqual([expect.stringContaining(`(environment ${Object.keys(environment)[0] ?? ''})`)])
    expect(settings.warnings[0]).toMatch(
      /taken for another program's, and .* is .* TIDEMARK_[A-Z_]+ is read by Tidemark alone/,
    )
  })

  test('leaves the layers below it in force', () => {
    const settings = resolve({ environment: dashboardPort, file: 'dashboard.port=8090' })
    expect(settings.get('dashboard.port')).toBe(8090)
    expect(settings.warnings).toEqual([expect.stringContaining('dashboard.port is 8090 (application.properties:1)')])
  })

  test.each([
    [{ TIDEMARK_DASHBOARD_PORT: 'tcp://10.0.0.1:8081' }, 'environment TIDEMARK_DASHBOARD_PORT'],
    [{ KAFKA_BOOTSTRAP_SERVERS: 'a:b' }, 'environment KAFKA_BOOTSTRAP_SERVERS'],
    [{ CASSANDRA_CONTACT_POINTS: ',' }, 'environment CASSANDRA_CONTACT_POINTS'],
    [{ CHECKPOINT_INTERVAL_MS: 'soon' }, 'environment CHECKPOINT_INTERVAL_MS'],
    [{ ORDERS_SIZE: 'many' }, 'environment ORDERS_SIZE'],
  ])('is a mistake where the name is nobody else’s: %j', (environment, place) => {
    expect(failureOf({ environment })).toMatchObject({ code: 'invalid-setting', details: { place } })
  })

  test('fails a command without a job only when it asks for that setting', () => {
    const settings = resolve({
      job: null,
      environment: { CHECKPOINT_INTERVAL_MS: 'soon', KAFKA_BOOTSTRAP_SERVERS: 'a:b' },
      file: 'restart.attempts=often',
    })
    expect(settings.get('data.dir')).toBe('.tidemark')
    expect(() => settings.get('checkpoint.interval.ms')).toThrow('CHECKPOINT_INTERVAL_MS')
    expect(() => settings.of(kafkaSystem.settings)).toThrow('KAFKA_BOOTSTRAP_SERVERS')
    expect(() => settings.get('restart.attempts')).toThrow('application.properties:1')
    expect(() => settings.entries()).toThrow(/expected/)
  })

  test('is refused at once where it was typed with the command', () => {
    expect(failureOf({ job: null, flags: { 'checkpoint.interval.ms': 'soon' } })).toMatchObject({
      code: 'invalid-setting',
    })
  })
})

describe('keys', () => {
  test.each([
    ['orders.topci', 'Did you mean orders.topic?'],
    ['checkpont.interval.ms', 'Did you mean checkpoint.interval.ms?'],
    ['entirely.else', 'tidemark config prints the known ones.'],
  ])('%s in a file is refused with its line and: %s', (key, hint) => {
    expect(failureOf({ file: `# a\n${key} = x` })).toMatchObject({
      code: 'unknown-setting',
      message: `Unknown setting "${key}" (application.properties:2). ${hint}`,
    })
  })

  test('that are unknown are refused as flags and in the job file, and ignored in the environment', () => {
    expect(failureOf({ flags: { 'orders.tpic': 'x' } })).toMatchObject({ code: 'unknown-setting' })
    expect(failureOf({ job: { path: 'j.ts', name: 'j', specs, values: { 'orders.tpic': 'x' } } })).toMatchObject({
      message: expect.stringContaining('(j.ts)'),
    })
    expect(resolve({ environment: { ORDERS_TPIC: 'x' } }).job['orders.topic']).toBe('orders')
  })

  test("of jobs in the file are nobody's mistake for a command without a job", () => {
    const settings = resolve({ job: null, file: 'orders.topic=x\nembedded.partitions=7\n' })
    expect(settings.of(embeddedSystem.settings)['embedded.partitions']).toBe(7)
    expect(failureOf({ job: null, flags: { 'orders.topic': 'x' } })).toMatchObject({ code: 'unknown-setting' })
  })

  test.each([
    ['topic', 'at least two words'],
    ['Orders.topic', 'lower case'],
    ['data.dir', 'Tidemark itself'],
    ['data-dir.x', null],
    ['log-level.x', null],
    ['data-dir', 'at least two words'],
    ['log.level-x', null],
    ['tidemark.topic', 'begins with tidemark.'],
    ['start.warn-records', 'same name in the environment as start.warn.records'],
  ])('a job may not declare %s where it %s', (key, reason) => {
    const declared = { [key]: setting(text, { default: 'x', meaning: 'A text.', example: 'x' }) }
    const declare = () =>
      resolveSettings({
        flags: new Map(),
        environment: {},
        file: null,
        job: { path: 'j.ts', name: 'j', specs: declared },
      })
    if (reason === null) expect(declare().job[key]).toBe('x')
    else expect(declare).toThrow(reason)
  })

  test.each(['__proto__', 'hunter2', 'Hunter2-Hunter2', 'a.jAAs.Module', `a.${'b'.repeat(100)}`])(
    'that no setting can have is not quoted: it may be a part of a value, %s',
    (key) => {
      expect(failureOf({ file: `# a\n${key} = x` })).toMatchObject({
        code: 'unknown-setting',
        message: 'Something that is no setting (application.properties:2). tidemark config prints the known ones.',
        details: { place: 'application.properties:2' },
      })
    },
  )

  test('that a file sets twice give a warning, and the last one counts', () => {
    const settings = resolve({ file: 'orders.topic=a\norders.topic=b\n' })
    expect(settings.job['orders.topic']).toBe('b')
    expect(settings.warnings).toEqual([
      'application.properties:1 sets orders.topic, and line 2 sets it again: the latter counts.',
    ])
  })
})

describe('entries', () => {
  test('list every setting with value, origin and meaning', () => {
    const entries = resolve({ flags: { 'orders.size': '20' } }).entries()
    expect(entries.at(0)?.key).toBe('job.name')
    expect(entries.find(({ key }) => key === 'orders.size')).toEqual({
      key: 'orders.size',
      value: '20',
      origin: 'flag',
      meaning: 'A size.',
    })
    expect(entries.find(({ key }) => key === 'kafka.bootstrap.servers')).toMatchObject({ value: '', origin: 'not set' })
    expect(new Set(entries.map(({ key }) => key)).size).toBe(entries.length)
  })

  test('never show a secret, in a list or in an error', () => {
    const settings = resolve({ environment: { ORDERS_PASSWORD: 'hunter2' } })
    expect(JSON.stringify(settings.entries())).not.toContain('hunter2')
    expect(settings.entries().at(-1)).toMatchObject({ value: '***', origin: 'environment ORDERS_PASSWORD' })
    expect(settings.secrets.mask('login with hunter2 failed')).toBe('login with *** failed')
    const strict = { 'a.pin': setting(choice(['1234']), { secret: true, meaning: 'A pin.', example: '1234' }) }
    expect(() =>
      resolveSettings({
        flags: new Map([['a.pin', '9876']]),
        environment: {},
        file: null,
        job: { path: 'j.ts', name: 'j', specs: strict },
      }),
    ).toThrow(expect.objectContaining({ message: expect.not.stringContaining('9876') }))
  })
})
