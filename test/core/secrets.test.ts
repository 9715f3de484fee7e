import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { Secrets, isSecretName, withoutUrlSecrets } from '../../src/core/secrets.ts'

function secretsOf(...texts: readonly string[]): Secrets {
  const secrets = new Secrets(['kafka', 'kafka.ssl'])
  for (const text of texts) secrets.learn(text)
  return secrets
}

const secret = `pa"ss w&rd'<é/+é>12`

describe('a secret is masked in every form', () => {
  test.each([
    ['as it is', secret],
    ['as JSON', JSON.stringify({ a: secret })],
    ['as JSON in JSON', JSON.stringify({ a: JSON.stringify([secret]) })],
    ['as a component of a URL', `https://h/?p=${encodeURIComponent(secret)}`],
    ['as a form', new URLSearchParams({ p: secret }).toString()],
    ['as userinfo', Object.assign(new URL('https://u@h/'), { password: secret }).href],
    ['as hexadecimal digits', Buffer.from(secret).toString('hex')],
    ['as Node inspects it', inspect({ a: secret })],
    ['as a URL in small letters', encodeURIComponent(secret).toLowerCase()],
    ['as hexadecimal digits in capital letters', Buffer.from(secret).toString('hex').toUpperCase()],
    ['as JSON of other encoders', String.raw`pa\u0022ss w\u0026rd\u0027\u003c\u00e9\/+\u00E9\u003E12`],
    ['as JSON in JSON in JSON', JSON.stringify(JSON.stringify(JSON.stringify(secret)))],
    ['as HTML in numbers', 'pa&#34;ss w&#x26;rd&#039;&#60;é&#47;+é&#x3E;12'],
    ['as HTML', 'pa&quot;ss w&amp;rd&#39;&lt;é/+é&gt;12'],
  ])('%s', (_, text) => {
    const masked = secretsOf(secret).mask(text)
    expect(masked).toContain('***')
    expect(masked).not.toMatch(/ss[ +%\\]|rd|12/)
  })

  test.each(['u', 'us', 'use', 'user'])('in base64 behind a user of any length: %s', (user) => {
    for (const encoding of ['base64', 'base64url'] as const) {
      const token = Buffer.from(`${user}:${secret}`).toString(encoding)
      const masked = secretsOf(secret).mask(`Basic ${token}!`)
      expect(masked).toContain('***')
      // What is left is that of the user, and at most one character on each side.
      expect(masked.length).toBeLessThan(20)
    }
  })
})

describe('parts of a secret', () => {
  const jaas =
    'org.apache.ScramLoginModule required username="reader" password="hunter2-hunter2" clientSecret=\'s3cret-s3cret\';'

  test.each([
    [
      'of a login module are its options, but not who logs in',
      jaas,
      'reader and hunter2-hunter2, s3cret-s3cret',
      'reader and ***, ***',
    ],
    [
      'of one that cannot be read are its words',
      'x.PlainLoginModule required password="hunter2-hunter2',
      'hunter2-hunter2',
      '***',
    ],
    ['of a connection string', 'Server=db;Password=hunter2-hunter2;', 'no hunter2-hunter2', 'no ***'],
    ['of a URL', 'postgres://ada:hunter2-hunter2@db/x?key=0123456789', 'hunter2-hunter2, 0123456789', '***, ***'],
    ['of JSON', '{"user":"ada-ada-ada","api_key":"hunter2-hunter2"}', 'ada-ada-ada hunter2-hunter2', 'ada-ada-ada ***'],
    [
      'of a key in PEM are its lines',
      '-----BEGIN PRIVATE KEY-----\nMIIBVgIBADANBg\nkqhkiG9w0BAQ\n-----END PRIVATE KEY-----',
      'at kqhkiG9w0BAQ',
      'at ***',
    ],
    ['with white space around it', ' hunter2-hunter2 ', 'hunter2-hunter2', '***'],
  ])('%s', (_, learnt, text, masked) => {
    expect(secretsOf(learnt).mask(text)).toBe(masked)
  })
})

describe('of what is no secret', () => {
  test('userinfo is masked before its host, and its password everywhere when it cannot be a name', () => {
    const secrets = new Secrets()
    secrets.learnWithin('postgres://postgres:postgres@db/postgres, https://weak@h')
    secrets.learnWithin('ada:other-pass-1@host:9092,host2:9092')
    expect(
      secrets.mask('at postgres://postgres:postgres@db/postgres, not https://weak@h: weak, postgres.public.a'),
    ).toBe('at postgres://***@db/postgres, not https://***@h: weak, postgres.public.a')
    expect(secrets.mask('ada:other-pass-1@host:9092 host2 other-pass-1 my-other-pass-1')).toBe(
      '***@host:9092 host2 *** my-other-pass-1',
    )
  })

  test('a parameter of a URL is masked when it is named like a secret', () => {
    const secrets = new Secrets()
    secrets.learnWithin(
      'https://h/x?team=orders&year=2026&format=html&style=body&sig=Ab3%2Fd45678&api_key=k3y-of-the-api#records',
    )
    expect(secrets.mask('orders 2026 <html> body records Ab3/d45678 Ab3%2fd45678 k3y-of-the-api')).toBe(
      'orders 2026 <html> body records *** *** ***',
    )
  })

  test('keys in PEM are masked line by line', () => {
    const secrets = new Secrets()
    secrets.learnWithin('-----BEGIN PRIVATE KEY-----\nMIIBVgIBADANBg\nkqhkiG9w0BAQ\n-----END PRIVATE KEY-----')
    expect(secrets.mask('at kqhkiG9w0BAQ')).toBe('at ***')
  })
})

describe('a guess', () => {
  function guessOf(...texts: readonly string[]): Secrets {
    const secrets = new Secrets(['checkpoint.interval'])
    for (const text of texts) secrets.guess(text)
    return secrets
  }

  test.each([
    'postgres',
    'orders',
    'orders-v2',
    'Summer24',
    'k8s.x9',
    '2026',
    '1234567890123456',
    'checkpoint.interval',
    'a/b',
  ])('%s may be a name or a number of the command, and stays', (value) => {
    const text = `topic ${value} of ${value}.public.orders at ${value}:0@17`
    expect(guessOf(value).mask(text)).toBe(text)
  })

  test.each(['Summer2024!', 'hunter2hunter2', 'pa55/word', 'wJalrXUtnFEMI/K7MDENG', 'customers-and-orders-x'])(
    '%s is masked where it stands as such',
    (value) => {
      expect(guessOf(value).mask(`no login with ${value}. "${value}" u:${value}@h`)).toBe(
        'no login with ***. "***" u:***@h',
      )
      expect(guessOf(value).mask(Buffer.from(`user:${value}`).toString('base64'))).toContain('***')
    },
  )

  test('is no part of a longer name, unless it is too long and too odd for one', () => {
    const secrets = guessOf('s3cr3tly', 'AAG9h2k3j4h5g6f7d8s9a0')
    const names = 's3cr3tly.orders my-s3cr3tly s3cr3tly2 x_s3cr3tly'
    expect(secrets.mask(names)).toBe(names)
    expect(secrets.mask('https://api/botAAG9h2k3j4h5g6f7d8s9a0/send')).toBe('https://api/bot***/send')
  })

  test('of a declared connection string is what is not named like a secret', () => {
    const secrets = new Secrets()
    secrets.learn('Server=orders-db;Database=orders;Password=weak-one')
    expect(secrets.mask('orders orders-db.public weak-one')).toBe('orders orders-db.public ***')
  })
})

describe('a secret that stands in every text', () => {
  test('of fewer than four characters is not masked', () => {
    expect(secretsOf('abc', '').mask('abc')).toBe('abc')
  })

  test('of fewer than eight is masked where it stands alone', () => {
    expect(secretsOf('tide7').mask('tide7 (tide7) a:tide7@b tide77 xtide7')).toBe('*** (***) a:***@b tide77 xtide7')
    const names = 'tide7.orders my-tide7 tide7_x'
    expect(secretsOf('tide7').mask(names)).toBe(names)
  })

  test.each(['1234', '123456789'])('of digits (%s) is no position and no part of a number', (digits) => {
    const text = `--skip orders:0@${digits}; amount ${digits}.50, 1.${digits}; ${digits}0`
    expect(secretsOf(digits).mask(`${text}; the PIN ${digits}.`)).toBe(`${text}; the PIN ***.`)
  })

  test('that is a word of our own texts is not masked', () => {
    expect(secretsOf('Kafka').mask('Kafka kafka.ssl')).toBe('Kafka kafka.ssl')
  })
})

test('JSON stays JSON, with its numbers', () => {
  const secrets = secretsOf('12345678', 'n"abc1234', '\\back\\slash')
  const json = JSON.stringify({ a: 12345678, '12345678': ['\nn"abc1234', { b: 'x\\back\\slash' }], c: null })
  expect(JSON.parse(secrets.maskJson(json))).toEqual({ a: 12345678, '***': ['\n***', { b: 'x***' }], c: null })
  expect(secrets.maskJson('{"a":1}')).toBe('{"a":1}')
})

test('JSON keeps every character that is no secret', () => {
  const secrets = secretsOf('admin-admin', 'other"secret')
  const json = String.raw`{ "a":12345678901234567890, "b":1e400,"c" : 1.0, "admin-admin" :1, "other\"secret":2, "d":["\/\u00e9","\\"]}`
  expect(secrets.maskJson(json)).toBe(
    String.raw`{ "a":12345678901234567890, "b":1e400,"c" : 1.0, "***" :1, "*** 2":2, "d":["\/\u00e9","\\"]}`,
  )
  expect(secrets.maskJson(String.raw`{"e":"\nadmin-admin\n"}`)).toBe(String.raw`{"e":"\n***\n"}`)
})

test('a page stays one, whatever is secret', () => {
  const secrets = secretsOf('html', 'class', 'body', 'stylesheet', '1234', 'width', 'a "quoted" <one>')
  const style = '<style>body{width:1234px}</style>'
  expect(
    secrets.maskHtml(
      `<!doctype html>\n<html lang="en">${style}<body class="x" title="my 1234">body 1234 <b title=class>a "quoted" <one></b><i title="a &quot;quoted&quot; <one>"></i><style>1234`,
    ),
  ).toBe(
    `<!doctype html>\n<html lang="en">${style}<body class="x" title="my ***">*** *** <b title=***>***</b><i title="***"></i><style>***`,
  )
})

test('secrets that overlap are masked as one', () => {
  expect(secretsOf('secretABC', 'ABCdefghijk').mask('a secretABCdefghijk secretABC')).toBe('a *** ***')
  expect(secretsOf('😀😀😀😀').mask('😀😀😀😀😀!')).toBe('***!')
})

test('regular expressions in a secret are text', () => {
  expect(secretsOf('a.c*(d)|[e]{2}-$^').mask('abcd a.c*(d)|[e]{2}-$^')).toBe('abcd ***')
})

test.each([
  ['https://ada:pw@h:1/p?a=b#c', 'https://***@h:1/p?***'],
  ['https://token@h/p', 'https://***@h/p'],
  ['ada:pw@h:9092, h2:9092', '***@h:9092, h2:9092'],
  ['https://h/p', 'https://h/p'],
  ['localhost:9092', 'localhost:9092'],
  ['/var/lib/a?b', '/var/lib/a?b'],
])('a URL is shown without secrets: %s', (url, shown) => {
  expect(withoutUrlSecrets(url)).toBe(shown)
})

test.each([
  ['AWS_SECRET_ACCESS_KEY', true],
  ['AWS_ACCESS_KEY_ID', false],
  ['PGPASSWORD', true],
  ['DBPASSWORD', true],
  ['dbPassword', true],
  ['accessToken', true],
  ['CLIENTSECRET', true],
  ['ACCESS_KEY', true],
  ['SECRET_KEY_BASE', true],
  ['AZURE_STORAGE_KEY', true],
  ['REDIS_AUTH', true],
  ['SSH_AUTH_SOCK', false],
  ['JAVA_COMPASS', false],
  ['DB_PASSWORD', true],
  ['sasl.jaas.config', true],
  ['orders.api-key', true],
  ['GITHUB_TOKEN', true],
  ['DB_PWD', true],
  ['PWD', false],
  ['OLDPWD', false],
  ['sasl.oauthbearer.token.endpoint.url', false],
  ['tokens.count', false],
  ['kafka.ssl', false],
])('%s names a secret: %s', (name, is) => {
  expect(isSecretName(name)).toBe(is)
})
