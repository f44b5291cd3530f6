@node "%~dp0brokerx" %*
