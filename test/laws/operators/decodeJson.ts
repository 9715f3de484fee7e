import * as t from 'io-ts'
import { decodeJson } from '../../../operators/decodeJson.ts'
import { throwAt, type Lawful } from '../lawful.ts'

export const laws: readonly Lawful[] = [
  {
    build: (context, throwsAt) => {
      const parity = new t.Type(
        'number',
        t.number.is,
        (value, where) => {
          throwAt(Number(value), throwsAt)
          return t.number.validate(value, where)
        },
        t.identity,
      )
      return decodeJson(context, parity)
    },
  },
]
