import { App, Stack } from 'aws-cdk-lib';
import { Fanwire } from '../../infra/fanwire.ts';

// Somebody who has set nothing.
new Fanwire(new Stack(new App(), 'Closed'), 'Fanwire');
