import { expect, it } from 'vitest';
import {
  fillRights,
  parseRights,
  parseRightsTemplate,
  permits,
  recipientPath,
} from '../../shared/protocol/rights.ts';

it('placeholders are filled in with escaped claims', () => {
  const template = parseRightsTemplate(
    { 'inbox/{sub}/*': ['subscribe'], '/users/{sub}': ['send'] },
    'auth.rights',
  );
  const rights = fillRights(template, { sub: 'a/*' });
  expect(permits(rights, 'subscribe', 'inbox/a~2F~2A/x')).toBe(true);
  expect(permits(rights, 'subscribe', 'inbox/*')).toBe(false);
  expect(permits(rights, 'send', recipientPath({ userId: 'a~2F~2A' }))).toBe(true);
});

it('a right to send to a connection is one to the whole of its id, with all its characters', () => {
  const to = { connectionId: 'L0SM9cOFvHcCIhw=' };
  const rights = parseRights({ [recipientPath(to)]: ['send'] }, 'rights');
  expect(permits(rights, 'send', recipientPath(to))).toBe(true);
  expect(permits(rights, 'send', recipientPath({ connectionId: 'L0SM9cOFvHcCIhw' }))).toBe(false);
});
