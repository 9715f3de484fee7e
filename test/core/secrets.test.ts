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

test('of what is no secret only userinfo, query and keys are', () => {
  const secrets = new Secrets()
  secrets.learnWithin('https://ada:hunter2-hunter2@login.example.com/token?api=0123456789#frag-ment-1')
  secrets.learnWithin('ada:other-pass-1@host:9092,host2:9092')
  expect(secrets.mask('login.example.com/token host host2 hunter2-hunter2 0123456789 other-pass-1')).toBe(
    'login.example.com/token host host2 *** *** ***',
  )
})

describe('a secret that stands in every text', () => {
  test('of fewer than four characters is not masked', () => {
    expect(secretsOf('abc', '').mask('abc')).toBe('abc')
  })

  test('of fewer than eight is masked where it stands alone', () => {
    expect(secretsOf('tide7').mask('tide7 (tide7) a:tide7@b tide77 xtide7')).toBe('*** (***) a:***@b tide77 xtide7')
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
