import { openPage } from '../lib/shell.js';

openPage();
